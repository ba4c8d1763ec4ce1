//! The controllers: rollouts, Jobs, what belongs to what, and how the adapter follows them.

mod collecting;
mod deployments;
mod jobs;
mod rollouts;
mod sets;

use crate::story::Story;

pub fn stories() -> Vec<Story> {
    let parts = [
        collecting::stories(),
        deployments::stories(),
        jobs::stories(),
        rollouts::stories(),
        sets::stories(),
    ];
    parts.into_iter().flatten().collect()
}
