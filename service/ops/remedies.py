"""What a person can do about each alarm of the daemon, by the alarm's topic.

docs/looking-after-it.md has the same texts.
"""

from __future__ import annotations

from typing import Final

REMEDIES: Final = {
    "recorder": "The disk refuses samples, which are lost for training; scoring and events continue. Make room, or let "
    "recorder.keep_size delete old recordings earlier. If the disk is not full, it is broken or read-only. Recording resumes by itself.",
    "model": "The model that was chosen cannot be used, and another one serves. Promote another model, or roll back to the one "
    "before.",
    "data_folder": "Let the daemon's user write to its data folder. The daemon tries again every 2 seconds, and then begins to record.",
    "outbox": "Events that wait for the broker are in memory only. Make room on the disk, or give the daemon write access to its data "
    "folder; if the file was damaged, nothing is to be done: a new one is in use.",
    "disk_thread": "The disk does not answer. Check it (dmesg shows its errors); if a network drive holds the data folder, check the "
    "network. Samples are still handed to the system, which writes them once the disk answers.",
    "embedded_broker": "The broker within the daemon has failed, and is started again every 2 seconds. If that does not help, another "
    "program has its port: stop it, or choose another port.",
    "broker": "The broker ends each connection soon after it has begun. Its log says why: a limit on the size or number of messages, or an "
    "account that may not publish. Events are kept, and are delivered once it accepts them.",
    "metrics_server": "Another program uses the port for metrics. Stop it, or choose another metrics.port. The daemon tries again every "
    "5 seconds.",
    "devices": "More devices publish samples than max_devices allows, and the others are ignored. Raise it, or find out which program "
    "publishes under so many names.",
    "topic_root": "Two daemons publish below the same topic root, and overwrite each other's states. Stop one of them, or give it "
    "another topic root.",
    "retention": "Old recordings could not be deleted, so the disk may fill up. Check that the daemon's user may delete them, and that "
    "the clock of this machine is right.",
    "clocks": "A blaster's clock runs backwards, jumps or starts over all the time, so most of its samples are dropped. "
    "Restart the blaster; "
    "if that does not help, its firmware or the program that sends its samples has a fault.",
    "upload": "Recordings are not uploaded to the shared storage. The log has the reason: network, credentials, rights, room. They stay on "
    "this disk until they are uploaded, unless it is full.",
    "registry": "The shared registry of models cannot be read, and the model in use stays. Check the network and the credentials of the "
    "shared storage; if its champion is damaged, promote another model there.",
}
"""What to do, by topic."""
