//! The API: what a request does and how it is refused.

mod applying;
mod reading;
mod refusing;
mod writing;

use crate::story::Story;

pub fn stories() -> Vec<Story> {
    [applying::stories(), reading::stories(), refusing::stories(), writing::stories()]
        .into_iter()
        .flatten()
        .collect()
}
