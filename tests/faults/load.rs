//! insmod, modprobe and rmmod.
