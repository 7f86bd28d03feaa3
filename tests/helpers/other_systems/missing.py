"""The names that modules of Python's library lack on other systems, by its documentation ("Availability")."""

from __future__ import annotations

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


WINDOWS_OS: Final = _names(
    """
    O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC O_NDELAY O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_SYNC
    O_TMPFILE chown chroot copy_file_range ctermid eventfd fchdir fchmod fchown fdatasync fork forkpty fpathconf
    fstatvfs get_blocking getegid geteuid getgid getgroups getloadavg getpgid getpgrp getpriority getresuid getsid
    getuid getxattr initgroups killpg lchown lockf major makedev memfd_create minor mkfifo mknod nice openpty
    pathconf pidfd_open pipe2 posix_fadvise posix_fallocate posix_spawn pread preadv pwrite pwritev readv
    register_at_fork sched_getaffinity sched_setaffinity sched_yield sendfile set_blocking setegid seteuid setgid
    setpgid setsid setuid splice statvfs sync sysconf tcgetpgrp ttyname uname wait wait3 wait4 waitid writev
    """
)
WINDOWS_SIGNAL: Final = _names(
    """
    SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGPROF SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU
    SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIG_BLOCK SIG_SETMASK SIG_UNBLOCK alarm getitimer pause
    pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigtimedwait sigwait
    """
)
WINDOWS_SOCKET: Final = _names(
    """
    AF_UNIX CMSG_LEN MSG_DONTWAIT MSG_NOSIGNAL SO_REUSEPORT sethostname socketpair_unix
    """
)
WINDOWS_SELECT: Final = _names(
    """
    devpoll epoll kqueue poll
    """
)
WINDOWS_TIME: Final = _names(
    """
    CLOCK_MONOTONIC CLOCK_REALTIME clock_getres clock_gettime clock_gettime_ns clock_settime tzset
    """
)
WINDOWS_MODULES: Final = _names(
    """
    fcntl grp posix pty pwd readline resource syslog termios tty
    """
)
MACOS_OS: Final = _names(
    """
    O_DIRECT O_NOATIME O_PATH O_TMPFILE copy_file_range eventfd fdatasync getresuid getxattr memfd_create
    pidfd_open pipe2 posix_fadvise posix_fallocate sched_getaffinity sched_setaffinity setxattr splice
    """
)
MACOS_SIGNAL: Final = _names(
    """
    SIGPOLL SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT sigtimedwait sigwaitinfo
    """
)
MACOS_SELECT: Final = _names(
    """
    epoll
    """
)
MACOS_TIME: Final = _names(
    """
    CLOCK_BOOTTIME CLOCK_TAI pthread_getcpuclockid
    """
)
