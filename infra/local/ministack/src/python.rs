//! Where the Python interpreter with MiniStack is.

use std::path::{Path, PathBuf};

use crate::Error;

/// The interpreter of the virtual environment that `make doctor` makes, or the one that
/// `SLIPWAY_MINISTACK_PYTHON` names.
///
/// # Errors
/// When there is no such file.
pub fn python() -> Result<PathBuf, Error> {
    let path = std::env::var_os("SLIPWAY_MINISTACK_PYTHON")
        .map_or_else(|| workspace().join(".slipway/venv/bin/python"), PathBuf::from);
    if path.exists() { Ok(path) } else { Err(Error::NotInstalled(path)) }
}

/// The root of the checkout this crate was compiled from.
fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap_or(here)
}
