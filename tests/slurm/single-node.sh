#!/usr/bin/env bash
# A throw-away Slurm of one node with two GPUs that are none: single-node.sh up|down|controller DIR
#
#   up          starts munge, controller and node below DIR; export SLURM_CONF=DIR/etc/slurm.conf to use them
#   controller  starts the controller again, after it was killed
#   down        ends all jobs, then the daemons
#
# Any user, no systemd, no cgroups, nothing outside DIR; ports on 127.0.0.1 only, from SLURM_TEST_PORT on. The host's
# name must resolve. Needs Debian's slurm-wlm.
set -euo pipefail
verb=$1
dir=$2
host=$(hostname -s)
user=$(id -un)
port=${SLURM_TEST_PORT:-26817}
conf=$dir/etc/slurm.conf
# A node that promises more memory than the machine has is taken out of service.
most=$(awk '/^MemTotal/ { print int($2 / 1024 * 0.8) }' /proc/meminfo)
memory=${SLURM_TEST_MB:-$((most < 12000 ? most : 12000))}
PATH=$PATH:/usr/sbin:/sbin

write_conf() {
  cat > "$conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.sock
CredType=cred/munge
# Both daemons stay off the network.
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
# Without cgroups: processes are found by their parents.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
# A job starts within a second of its submission.
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0,sched_interval=1,bf_interval=1
PriorityType=priority/basic
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
# What is written here counts, whatever the node finds: in a container it may see other numbers of cores.
SlurmdParameters=config_overrides
KillWait=5
MinJobAge=600
MailProg=/bin/true
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$memory Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=01:00:00 State=UP DefMemPerCPU=100
END
  # Only character devices make Slurm set CUDA_VISIBLE_DEVICES.
  printf 'AutoDetect=off\nNodeName=%s Name=gpu File=/dev/null\nNodeName=%s Name=gpu File=/dev/zero\n' \
    "$host" "$host" > "$dir/etc/gres.conf"
}

wait_until_gone() {
  for _ in $(seq 100); do
    [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null || return 0
    sleep 0.1
  done
}

export SLURM_CONF=$conf
case $verb in
  up)
    getent hosts "$host" >/dev/null || { echo "the name of this host, $host, does not resolve" >&2; exit 2; }
    mkdir -p "$dir"/{etc,run,state,spool,log,munge}
    chmod 755 "$dir"
    chmod 700 "$dir/munge"
    [ -s "$dir/munge/key" ] || (umask 077; head -c 128 /dev/urandom > "$dir/munge/key")
    munged --key-file="$dir/munge/key" --socket="$dir/run/munge.sock" --pid-file="$dir/run/munged.pid" \
      --log-file="$dir/munge/munged.log" --seed-file="$dir/munge/seed" --num-threads=1
    write_conf
    slurmctld -f "$conf"
    slurmd -f "$conf" -N "$host"
    for _ in $(seq 100); do
      [ "$(sinfo -h -o %T 2>/dev/null)" = idle ] && exit 0
      sleep 0.1
    done
    tail -5 "$dir"/log/slurmctld.log "$dir"/log/slurmd.log >&2
    exit 1
    ;;
  controller)
    slurmctld -f "$conf"
    for _ in $(seq 100); do
      sinfo -h >/dev/null 2>&1 && exit 0
      sleep 0.1
    done
    exit 1
    ;;
  down)
    scancel -u "$user" 2>/dev/null || true
    for _ in $(seq 80); do
      [ -z "$(squeue -h 2>/dev/null)" ] && break
      sleep 0.1
    done
    # The controller last: a step daemon that cannot reach it tries for minutes.
    for daemon in slurmd slurmctld munged; do
      pid=$(cat "$dir/run/$daemon.pid" 2>/dev/null || true)
      [ -n "$pid" ] || continue
      kill -TERM "$pid" 2>/dev/null || continue
      wait_until_gone "$pid"
    done
    ;;
  *)
    echo "single-node.sh up|down|controller DIR" >&2
    exit 2
    ;;
esac
