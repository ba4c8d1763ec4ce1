//! Webhook deliveries, whose state only goes forwards.

use domain::ids::DeliveryId;
use domain::ports::{Answer, Deliveries, Delivery, DeliveryState, Fault, Receipt};

use super::store::{MemoryStore, Tables};

impl MemoryStore {
    /// A delivery as recorded, past the wire.
    pub fn delivery(&self, id: &DeliveryId) -> Option<Delivery> {
        self.tables.with(|tables| tables.deliveries.get(id).cloned())
    }

    /// How many deliveries are recorded, past the wire.
    pub fn delivery_count(&self) -> usize {
        self.tables.with(|tables| tables.deliveries.len())
    }
}

impl Deliveries for MemoryStore {
    async fn receive(&self, delivery: &Delivery) -> Answer<Receipt> {
        let write = |tables: &mut Tables| {
            if let Some(known) = tables.deliveries.get(&delivery.id) {
                return Receipt::Known(known.clone());
            }
            let bringer = tables.bodies.entry(delivery.body.clone()).or_insert_with(|| delivery.id.clone());
            if let Some(first) = tables.deliveries.get(bringer) {
                return Receipt::Before(first.clone());
            }
            tables.deliveries.insert(delivery.id.clone(), delivery.clone());
            Receipt::New
        };
        self.wire.call("store.receive", || Ok(self.tables.with(write))).await
    }

    async fn record(&self, delivery: &Delivery) -> Answer<Delivery> {
        let write = |tables: &mut Tables| {
            tables.deliveries.entry(delivery.id.clone()).or_insert_with(|| delivery.clone()).clone()
        };
        self.wire.call("store.record", || Ok(self.tables.with(write))).await
    }

    async fn note(&self, id: &DeliveryId, state: &DeliveryState) -> Answer<()> {
        let write = |tables: &mut Tables| {
            let unknown = || Fault::reject(format!("delivery `{id}` was never recorded"));
            let known = tables.deliveries.get_mut(id).ok_or_else(unknown)?;
            if progress(&known.state) <= progress(state) {
                known.state = state.clone();
            }
            Ok(())
        };
        self.wire.call("store.note", || self.tables.with(write)).await
    }
}

fn progress(state: &DeliveryState) -> u8 {
    match state {
        DeliveryState::Received => 0,
        DeliveryState::Enqueued => 1,
        DeliveryState::Ignored(_) => 2,
        DeliveryState::Planned(_) => 3,
    }
}
