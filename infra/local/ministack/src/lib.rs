//! MiniStack, the local AWS, as a child process on a free loopback port.
//!
//! One [`start`] is one AWS of its own, empty, ready within a second, gone when dropped or when this process
//! ends, however it ends. Tests that share one take [`shared`] and give their resources names of their own.

mod child;
mod error;
mod python;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::OnceLock;

pub use error::Error;
pub use python::python;

/// The region everything local lives in.
pub const REGION: &str = "us-east-1";
/// The access key id and the secret access key that the local AWS takes.
pub const CREDENTIAL: &str = "test";
/// The account number behind [`CREDENTIAL`].
pub const ACCOUNT: &str = "000000000000";

/// How MiniStack is started; the default suits tests.
#[derive(Debug, Default, Clone)]
pub struct Settings {
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Variables that functions see beside their own; nothing else is inherited from this process.
    pub environment: Vec<(OsString, OsString)>,
}

/// A running MiniStack.
#[derive(Debug)]
pub struct MiniStack {
    endpoint: String,
    port: u16,
    directory: PathBuf,
    child: Child,
}

/// Starts a MiniStack with its log and temporary files in `state_directory`, and waits until it answers.
///
/// Blocks for up to a second; asynchronous callers that mind use `spawn_blocking`.
///
/// # Errors
/// When Python or MiniStack is not installed (the message names `make doctor`), or it does not start.
pub fn start(state_directory: &Path) -> Result<MiniStack, Error> {
    start_with(state_directory, &Settings::default())
}

/// [`start`] with a fixed port or variables for the functions.
///
/// # Errors
/// As [`start`]; also when the port is taken.
pub fn start_with(state_directory: &Path, settings: &Settings) -> Result<MiniStack, Error> {
    let python = python()?;
    let directory = state_directory.join("ministack");
    std::fs::create_dir_all(directory.join("tmp")).map_err(|source| Error::io(&directory, source))?;
    let (child, port) = child::start(&python, &directory, settings)?;
    let endpoint = format!("http://127.0.0.1:{port}");
    Ok(MiniStack { endpoint, port, directory, child })
}

/// The MiniStack that all tests of one binary share; it ends with the binary.
///
/// # Panics
/// When it cannot be started: there is nothing a test could do about it.
pub fn shared() -> &'static MiniStack {
    static SHARED: OnceLock<MiniStack> = OnceLock::new();
    SHARED.get_or_init(|| {
        start_temporary().unwrap_or_else(|error| panic!("no local AWS for the tests: {error}"))
    })
}

/// A MiniStack whose files lie in a temporary folder and are removed with it.
///
/// # Errors
/// As [`start`].
pub fn start_temporary() -> Result<MiniStack, Error> {
    let directory = child::temporary_directory()?;
    let remove = ("SLIPWAY_REMOVE".into(), directory.clone().into());
    start_with(&directory, &Settings { port: 0, environment: vec![remove] })
}

impl MiniStack {
    /// The URL every service answers at, without a slash at its end.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of its process, which is also that of the process group its functions run in.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// The file that MiniStack logs to.
    pub fn log_path(&self) -> PathBuf {
        self.directory.join("ministack.log")
    }
}

impl Drop for MiniStack {
    fn drop(&mut self) {
        child::end(&mut self.child);
    }
}
