/* Loads and stores that another core or an interrupt sees in order. For the library's own use.
 *
 * GCC and clang turn these into single instructions and a barrier, also on a Cortex-M0+, which has no atomic
 * read-modify-write. Another compiler needs its own definitions of these two macros. */
#ifndef STINGER_ATOMIC_H
#define STINGER_ATOMIC_H

#define STINGER_LOAD(variable) __atomic_load_n(&(variable), __ATOMIC_ACQUIRE)
#define STINGER_STORE(variable, value) __atomic_store_n(&(variable), (value), __ATOMIC_RELEASE)

#endif
