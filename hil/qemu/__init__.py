"""A blaster as ARM code: the firmware's image, QEMU that runs it, and a device of the bench made of both."""
