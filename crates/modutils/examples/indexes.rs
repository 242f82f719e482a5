//! Writes the indexes for a module directory, wherever it is: an image that is being built, a container.
//!
//! `cargo run --example indexes -- DIRECTORY`

use std::{error::Error, sync::Mutex};

use modutils::{
    Level, Notice,
    depmod::{Observer, Run},
};

/// Keeps what a person should read.
#[derive(Default)]
struct Warnings(Mutex<Vec<Notice>>);

impl Observer for Warnings {
    fn notice(&self, notice: Notice) {
        if notice.level > Level::Warning {
            return;
        }
        if let Ok(mut notices) = self.0.lock() {
            notices.push(notice);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).ok_or("indexes DIRECTORY")?;
    let warnings = Warnings::default();
    let report = Run::new(&directory).without_configuration().execute(&warnings);
    for notice in warnings.0.into_inner()? {
        eprintln!("{}", notice.message);
    }
    // An incomplete run is an error, and has written nothing: there is no flag to forget.
    let report = report?;
    for omission in report.omissions() {
        eprintln!("not read: {omission}");
    }
    for file in report.written() {
        println!("{}", file.display());
    }
    Ok(())
}
