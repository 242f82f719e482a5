//! One context for many threads, and when to open another one.

use std::{fs, path::Path, sync::Arc, thread};

use modutils::Context;

use crate::result::{CheckResult, ensure};

pub fn check(directory: &Path) -> CheckResult {
    let config = directory.join("shared.conf");
    fs::write(&config, "options loop max_loop=8\n")?;
    let context =
        Arc::new(Context::builder().directory(directory).config_paths(vec![config.clone()]).build()?);
    let answers = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let context = Arc::clone(&context);
                scope.spawn(move || -> modutils::Result<Vec<String>> {
                    let mut answers = Vec::new();
                    for name in ["ext4", "vfat", "loop", "virtio_net"] {
                        for module in context.lookup(name.as_bytes())? {
                            answers.push(format!(
                                "{} {:?} {}",
                                module.name(),
                                module.path()?,
                                module.options()
                            ));
                        }
                    }
                    Ok(answers)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread that ends")).collect::<Vec<_>>()
    });
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    ensure(
        answers.windows(2).all(|pair| pair[0] == pair[1]) && !answers[0].is_empty(),
        "threads got different answers",
    )?;
    ensure(
        answers[0].iter().any(|answer| answer.ends_with("max_loop=8")),
        "the options of loop are missing",
    )?;

    let unchanged = context.changed_on_disk();
    ensure(!unchanged.configuration && !unchanged.indexes, "something changed by itself")?;
    fs::write(&config, "options loop max_loop=16\n")?;
    let changed = context.changed_on_disk();
    fs::remove_file(&config)?;
    ensure(changed.configuration && !changed.indexes, "a change of the configuration went unnoticed")?;
    Ok(format!("8 threads, {} answers each; changes are noticed", answers[0].len()))
}
