//! A server that answers names and modaliases with paths, a thread for each connection, on one
//! `Context`; it opens another one when the configuration or the indexes change on disk.
//!
//! `cargo run --example server -- SOCKET [DIRECTORY]`, then `echo vfat | nc -U SOCKET`

use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use modutils::Context;

/// The context that connections use, and how to open the next one.
struct Server {
    directory: Option<PathBuf>,
    current: Mutex<Arc<Context>>,
}

fn open(directory: Option<&PathBuf>) -> modutils::Result<Arc<Context>> {
    let builder = Context::builder();
    let context = match directory {
        Some(directory) => builder.directory(directory).build()?,
        None => builder.build()?,
    };
    context.load_indexes()?;
    Ok(Arc::new(context))
}

impl Server {
    /// The context to answer with: the one that is open, unless what it read has changed.
    fn context(&self) -> modutils::Result<Arc<Context>> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = current.changed_on_disk();
        if changes.configuration || changes.indexes {
            *current = open(self.directory.as_ref())?;
        }
        Ok(Arc::clone(&current))
    }

    fn serve(&self, connection: UnixStream) -> Result<(), Box<dyn Error>> {
        let mut answers = connection.try_clone()?;
        for line in BufReader::new(connection).split(b'\n') {
            let modules = self.context()?.lookup(line?.trim_ascii())?;
            for module in &modules {
                match module.path()? {
                    Some(path) => writeln!(answers, "{} {}", module.name(), path.display())?,
                    None => writeln!(answers, "{} built in", module.name())?,
                }
            }
            writeln!(answers)?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let socket = arguments.next().ok_or("server SOCKET [DIRECTORY]")?;
    let directory = arguments.next();
    let current = Mutex::new(open(directory.as_ref())?);
    let server = Server { directory, current };
    let listener = UnixListener::bind(socket)?;
    thread::scope(|scope| {
        for connection in listener.incoming() {
            let connection = connection?;
            let server = &server;
            scope.spawn(move || {
                if let Err(error) = server.serve(connection) {
                    eprintln!("{error}");
                }
            });
        }
        Ok(())
    })
}
