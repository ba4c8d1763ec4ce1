//! The one-machine cloud: MiniStack and the stand-ins for what it lacks.
