//! What whoever holds the service can see of it and do to it while it serves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::faults::{ApiFault, Disturbance, EventFault};

/// A handle on a service; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Control {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    requests: BTreeMap<String, u64>,
    disturbance: Option<Disturbance>,
    /// How often something has been decided over, by its name: decisions are a hash of it.
    decided: BTreeMap<String, u64>,
    faults: BTreeMap<&'static str, u64>,
}

impl Control {
    /// How often each operation was asked for.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.lock().requests.clone()
    }

    /// Forgets what was counted.
    pub fn reset(&self) {
        self.lock().requests.clear();
    }

    /// Lets requests fail and events get lost from now on.
    pub fn disturb(&self, disturbance: Disturbance) {
        let mut state = self.lock();
        state.decided.clear();
        state.disturbance = Some(disturbance);
    }

    /// Ends that; what was delayed still comes.
    pub fn calm(&self) {
        self.lock().disturbance = None;
    }

    /// How often each fault has happened.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.lock().faults.clone()
    }

    pub(crate) fn count(&self, operation: &str) {
        *self.lock().requests.entry(operation.to_owned()).or_default() += 1;
    }

    pub(crate) fn api_fault(&self, operation: &str) -> Option<ApiFault> {
        let mut state = self.lock();
        let number = state.next(operation);
        let fault = state.disturbance.as_ref()?.of_request(operation, number)?;
        state.note(fault.name());
        Some(fault)
    }

    pub(crate) fn event_fault(&self, status: &str) -> Option<EventFault> {
        let mut state = self.lock();
        let number = state.next(status);
        let fault = state.disturbance.as_ref()?.of_event(status, number)?;
        state.note(fault.name());
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self, what: &str) -> u64 {
        let number = self.decided.entry(what.to_owned()).or_default();
        *number += 1;
        *number
    }

    fn note(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }
}
