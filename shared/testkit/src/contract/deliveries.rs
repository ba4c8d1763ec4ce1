//! Webhook deliveries: recorded once, noted forwards.

use domain::ports::{Answer, Deliveries, Delivery, DeliveryState};

use super::samples::{START, name, run_id};

fn delivery(id: &str) -> Delivery {
    Delivery {
        id: name(id),
        event: "push".to_owned(),
        body: "ab".repeat(32),
        received: START,
        state: DeliveryState::Received,
    }
}

/// A redelivered webhook gets the record of the first time.
///
/// # Errors
/// When the store does not answer.
pub async fn a_delivery_is_recorded_once(deliveries: &impl Deliveries) -> Answer<()> {
    let first = delivery("first");
    assert_eq!(deliveries.record(&first).await?, first);
    deliveries.note(&first.id, &DeliveryState::Enqueued).await?;

    let again = Delivery { body: "cd".repeat(32), event: "ping".to_owned(), ..first.clone() };
    let recorded = deliveries.record(&again).await?;

    assert_eq!(recorded, Delivery { state: DeliveryState::Enqueued, ..first });
    assert_eq!(deliveries.record(&delivery("second")).await?, delivery("second"));
    Ok(())
}

/// A note that comes late does not undo what became of the delivery.
///
/// # Errors
/// When the store does not answer.
pub async fn notes_only_go_forwards(deliveries: &impl Deliveries) -> Answer<()> {
    let first = delivery("first");
    deliveries.record(&first).await?;
    for state in [DeliveryState::Planned(run_id(1)), DeliveryState::Enqueued] {
        deliveries.note(&first.id, &state).await?;
    }
    assert_eq!(deliveries.record(&first).await?.state, DeliveryState::Planned(run_id(1)));

    let ignored = delivery("ignored");
    deliveries.record(&ignored).await?;
    let why = DeliveryState::Ignored("nobody serves `o/r`".to_owned());
    deliveries.note(&ignored.id, &why).await?;
    assert_eq!(deliveries.record(&ignored).await?.state, why);
    Ok(())
}

/// A note on a delivery that nobody recorded is a mistake of the caller.
///
/// # Errors
/// When the store does not answer.
pub async fn an_unknown_delivery_cannot_be_noted(deliveries: &impl Deliveries) -> Answer<()> {
    let noted = deliveries.note(&name("nowhere"), &DeliveryState::Enqueued).await;
    assert!(noted.is_err_and(|fault| fault.what.contains("`nowhere`")));
    Ok(())
}
