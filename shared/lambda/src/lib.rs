//! Runtime glue: start-up, envelopes, partial batches, configuration and telemetry.
