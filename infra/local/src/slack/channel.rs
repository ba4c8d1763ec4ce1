//! Ids of channels: the same name always has the same one.

use std::hash::{DefaultHasher, Hash, Hasher};

/// The id of the channel that is named `#name`, `name`, or by its id.
pub(super) fn channel_id(channel: &str) -> String {
    let name = channel.trim_start_matches('#');
    let is_id = name.len() == 11
        && name.starts_with('C')
        && name.chars().all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit());
    if is_id {
        return name.to_owned();
    }
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    format!("C0{:09X}", hasher.finish() & 0xF_FFFF_FFFF)
}
