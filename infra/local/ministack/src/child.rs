//! The child process: started in a clean environment, asked until it answers, ended for sure.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::{CREDENTIAL, Error, REGION, Settings};

/// How long the first answer may take on a busy machine.
const START: Duration = Duration::from_mins(1);
/// How long the end may take before the process is killed.
const END: Duration = Duration::from_secs(5);

pub(crate) fn start(python: &Path, directory: &Path, settings: &Settings) -> Result<(Child, u16), Error> {
    let log_path = directory.join("ministack.log");
    let log = File::create(&log_path).map_err(|source| Error::io(&log_path, source))?;
    let mut child = Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("launcher.py"))
        .current_dir(directory)
        .env_clear()
        .envs(clean_environment(directory))
        .env("SLIPWAY_PORT", settings.port.to_string())
        .envs(settings.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|source| Error::io(python, source))?;
    let Some(port) = first_answer(&mut child) else {
        end(&mut child);
        return Err(Error::NotStarted(last_lines(&log_path)));
    };
    Ok((child, port))
}

/// Functions inherit MiniStack's environment, so that it holds only what they may see.
fn clean_environment(directory: &Path) -> [(&'static str, PathBuf); 7] {
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
        ("TMPDIR", directory.join("tmp")),
        ("LANG", "C.UTF-8".into()),
        ("AWS_REGION", REGION.into()),
        ("AWS_DEFAULT_REGION", REGION.into()),
        ("AWS_ACCESS_KEY_ID", CREDENTIAL.into()),
        ("AWS_SECRET_ACCESS_KEY", CREDENTIAL.into()),
    ]
}

/// The launcher prints its port when it is bound; the health page answers when everything is loaded.
fn first_answer(child: &mut Child) -> Option<u16> {
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    let port = line.trim().parse().ok()?;
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.set_read_timeout(Some(START)).ok()?;
    connection.write_all(b"GET /_ministack/health HTTP/1.0\r\nhost: localhost\r\n\r\n").ok()?;
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).ok()?;
    answer.ends_with(b" 200").then_some(port)
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// Closes standard input, upon which the launcher kills its process group; insists after a while.
pub(crate) fn end(child: &mut Child) {
    drop(child.stdin.take());
    let deadline = Instant::now() + END;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Ok(Some(_)) | Err(_) => return,
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A new folder for one MiniStack of this process.
pub(crate) fn temporary_directory() -> Result<PathBuf, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("slipway-ministack-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).map_err(|source| Error::io(&path, source))?;
    Ok(path)
}
