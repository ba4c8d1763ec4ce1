//! Tests of the reading itself.
