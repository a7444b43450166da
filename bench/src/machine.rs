//! What the figures were taken on, and when.

use std::fmt;
use std::fs;

use jiff::Zoned;
use procfs::Current as _;
use serde::Serialize;

/// A machine and a day.
#[derive(Serialize)]
pub(crate) struct Machine {
    date: String,
    processor: String,
    cores: usize,
    memory_gib: u64,
    system: String,
    load: f32,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let processor = procfs::CpuInfo::current().ok();
        let processor = processor.and_then(|info| info.model_name(0).map(str::to_owned));
        Self {
            date: Zoned::now().strftime("%Y-%m-%d %H:%M").to_string(),
            processor: processor.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: procfs::Meminfo::current().map_or(0, |memory| memory.mem_total >> 30),
            system: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| "unknown".to_owned(), |release| release.trim().to_owned()),
            load: procfs::LoadAverage::current().map_or(0.0, |load| load.one),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            date,
            processor,
            cores,
            memory_gib,
            system,
            load,
        } = self;
        write!(
            f,
            "{date}, {cores} cores of {processor}, {memory_gib} GiB, Linux {system}, load {load:.1} before the run."
        )
    }
}
