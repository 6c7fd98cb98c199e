#!/bin/sh
# Boots Debian in the namespaces that it is started in: boot-debian.sh BASE WORK. BASE stays as it is;
# what changes lies in WORK, or in memory where WORK's file system cannot carry an overlay.
set -e
base=$1
work=$2
root=$work/root
mount --make-rprivate /
mkdir -p "$root"
overlay() {
  mkdir -p "$work/changed" "$work/overlay"
  mount -t overlay overlay -o "lowerdir=$base,upperdir=$work/changed,workdir=$work/overlay" "$root"
}
if ! overlay 2>/dev/null; then
  mount -t tmpfs tmpfs "$work"
  mkdir -p "$root"
  overlay
fi
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
# Units with PrivateUsers start in no chroot: it has to be the root of the namespace.
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
# As at any boot: what systemd mounts for one unit, such as its credentials, reaches that unit.
mount --make-rshared /
exec /usr/bin/env -i container=footbridge /lib/systemd/systemd
