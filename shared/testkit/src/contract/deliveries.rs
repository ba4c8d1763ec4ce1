//! Webhook deliveries: recorded once, noted forwards.

use domain::ports::{Answer, Deliveries, Delivery, DeliveryState, Receipt};

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

/// A delivery is received once, and so is its body, under whatever id it comes again.
///
/// # Errors
/// When the store does not answer.
pub async fn a_body_is_received_once(deliveries: &impl Deliveries) -> Answer<()> {
    let first = delivery("first");
    assert_eq!(deliveries.receive(&first).await?, Receipt::New);
    assert_eq!(deliveries.receive(&first).await?, Receipt::Known(first.clone()));
    let repeated = delivery("repeated");
    assert_eq!(deliveries.receive(&repeated).await?, Receipt::Before(first.clone()));

    deliveries.note(&first.id, &DeliveryState::Enqueued).await?;
    let enqueued = Delivery { state: DeliveryState::Enqueued, ..first.clone() };
    assert_eq!(deliveries.receive(&repeated).await?, Receipt::Before(enqueued.clone()));
    // Whoever uses the id for another body learns which one it has, and that body is not taken for known.
    let other = Delivery { body: "cd".repeat(32), ..first };
    assert_eq!(deliveries.receive(&other).await?, Receipt::Known(enqueued));
    let own_id = Delivery { id: name("own-id"), ..other };
    assert_eq!(deliveries.receive(&own_id).await?, Receipt::New);

    // What is recorded under its id alone is known by it, and keeps its body free for others.
    let ignored = Delivery { state: DeliveryState::Ignored("why".to_owned()), ..repeated };
    assert_eq!(deliveries.record(&ignored).await?, ignored);
    assert_eq!(deliveries.receive(&delivery("repeated")).await?, Receipt::Known(ignored));
    let alone = Delivery { body: "ef".repeat(32), ..delivery("alone") };
    assert_eq!(deliveries.record(&alone).await?, alone);
    let after = Delivery { id: name("after-alone"), ..alone };
    assert_eq!(deliveries.receive(&after).await?, Receipt::New);
    Ok(())
}

/// Of many that bring the same body at the same time, one is the first.
///
/// # Errors
/// When the store does not answer.
pub async fn one_of_many_brings_the_body(deliveries: &impl Deliveries) -> Answer<()> {
    let (one, two) = (delivery("one"), delivery("two"));
    let (first, second, third) =
        tokio::join!(deliveries.receive(&one), deliveries.receive(&two), deliveries.receive(&one));
    // Who is in the others' way too often is sent away and comes again.
    let mut new = 0;
    for receipt in [first, second, third].into_iter().flatten() {
        new += usize::from(receipt == Receipt::New);
    }
    let again = (deliveries.receive(&one).await?, deliveries.receive(&two).await?);
    let is_one = matches!(&again, (Receipt::Known(a), Receipt::Before(b)) if a == b && a.id == one.id);
    let is_two = matches!(&again, (Receipt::Before(a), Receipt::Known(b)) if a == b && b.id == two.id);
    assert!(is_one || is_two, "{again:?}");
    assert!(new <= 1, "{new} were the first");
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
