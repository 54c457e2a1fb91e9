//! A fake Jetson Nano: the files of kernel and JetPack 4.6 that are read, in a folder, to be moved during a test.

use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A sound board: 4 GB, JetPack 4.6.1, MAXN, cool, a CSI camera, everything installed.
const FILES: &[(&str, &str)] = &[
    ("proc/device-tree/model", "NVIDIA Jetson Nano Developer Kit\0"),
    (
        "etc/nv_tegra_release",
        "# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t210ref, EABI: aarch64, DATE: Sat Feb 19 17:05:08 UTC 2022",
    ),
    (
        "proc/meminfo",
        "MemTotal:        4059284 kB\nMemFree:          400000 kB\nMemAvailable:    2900000 kB\nSwapTotal:       2029632 kB\nSwapFree:        2029632 kB\n",
    ),
    ("proc/uptime", "86400.25 300000.00"),
    ("sys/devices/system/cpu/online", "0-3"),
    ("sys/class/thermal/thermal_zone0/type", "AO-therm"),
    ("sys/class/thermal/thermal_zone0/temp", "41500"),
    ("sys/class/thermal/thermal_zone1/type", "CPU-therm"),
    ("sys/class/thermal/thermal_zone1/temp", "38000"),
    ("sys/class/thermal/thermal_zone1/trip_point_0_type", "critical"),
    ("sys/class/thermal/thermal_zone1/trip_point_0_temp", "102000"),
    ("sys/class/thermal/thermal_zone1/trip_point_1_type", "passive"),
    ("sys/class/thermal/thermal_zone1/trip_point_1_temp", "97000"),
    ("sys/class/thermal/thermal_zone2/type", "GPU-therm"),
    ("sys/class/thermal/thermal_zone2/temp", "36500"),
    ("sys/class/thermal/thermal_zone4/type", "PMIC-Die"),
    ("sys/class/thermal/thermal_zone4/temp", "100000"),
    ("sys/class/thermal/cooling_device0/type", "cpu-balanced"),
    ("sys/class/thermal/cooling_device0/cur_state", "0"),
    ("sys/class/thermal/cooling_device0/max_state", "3"),
    ("sys/class/thermal/cooling_device1/type", "pwm-fan"),
    ("sys/class/thermal/cooling_device1/cur_state", "1"),
    ("sys/class/thermal/cooling_device1/max_state", "3"),
    ("sys/devices/gpu.0/load", "356"),
    ("sys/class/devfreq/57000000.gpu/cur_freq", "614400000"),
    ("sys/class/devfreq/57000000.gpu/max_freq", "921600000"),
    ("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input", "4870"),
    ("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_voltage0_input", "5112"),
    ("sys/devices/pwm-fan/cur_pwm", "102"),
    ("sys/fs/ext4/mmcblk0p1/errors_count", "0"),
    ("sys/fs/ext4/mmcblk0p1/lifetime_write_kbytes", "104857600"),
    ("usr/local/cuda-10.2/lib64/libcudart.so.10.2", ""),
    ("usr/lib/aarch64-linux-gnu/libcudnn.so.8", ""),
    ("usr/lib/aarch64-linux-gnu/libnvinfer.so.8", ""),
    ("usr/lib/aarch64-linux-gnu/libnvonnxparser.so.8", ""),
    ("tmp/argus_socket", ""),
    ("dev/video0", ""),
    ("sys/class/video4linux/video0/name", "vi-output, imx219 7-0010"),
    ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nsightd:x:120:127:sightd:/var/lib/sightd:/usr/sbin/nologin"),
    ("etc/group", "root:x:0:\nvideo:x:44:owner,sightd"),
];

/// The board; its folder goes with it.
pub struct FakeBoard(TempDir);

impl FakeBoard {
    /// A sound board.
    pub fn new() -> Self {
        let board = Self(tempfile::tempdir().unwrap());
        for (path, text) in FILES {
            board.set(path, text);
        }
        board
    }

    /// The folder that stands for `/`.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file as the kernel would show it.
    pub fn set(&self, path: &str, text: &str) {
        let file = self.at(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // Replaced as a whole, so that a reader never sees half of it.
        let part = file.with_extension("part");
        fs::write(&part, format!("{text}\n")).unwrap();
        fs::rename(part, file).unwrap();
    }

    /// Takes a file away.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.at(path)).unwrap();
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }
}
