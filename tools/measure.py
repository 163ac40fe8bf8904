"""Measures whole processes: wall-clock and CPU seconds, and peaks of memory; and keeps figures with where they are from."""

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SAMPLE_SECONDS = 0.02


def sample(pid, peaks, stop):
    """Follows the memory of a process until it is told to stop. Linux alone tells."""
    while not stop.is_set():
        try:
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                name, _, value = line.partition(":")
                if name in ("VmHWM", "RssAnon"):
                    peaks[name] = max(peaks.get(name, 0), int(value.split()[0]) * 1024)
        except (OSError, ValueError, IndexError):
            pass  # The process is over, or this system has no such file.
        stop.wait(SAMPLE_SECONDS)


def measure(command):
    """Runs a command and returns its seconds and its peaks of memory in bytes."""
    os.sync()  # What was written before is not this command's to wait for.
    peaks, stop = {}, threading.Event()
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=output)
        watcher = threading.Thread(target=sample, args=(process.pid, peaks, stop))
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        stop.set()
        watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            sys.exit(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{output.read().decode()[-4000:]}")
    largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "rss": peaks.get("VmHWM", largest),
        "anon": peaks.get("RssAnon"),
    }


def machine():
    """What it is measured on."""
    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"system": platform.platform(), "processor": model, "cores": cores, "memory": memory}


def keep(path, figures):
    """Writes figures, and the machine that they are of."""
    Path(path).write_text(json.dumps({"machine": machine()} | figures, indent=1) + "\n")
