//! Plays the cloud around the functions: delivers messages, ends builds, sweeps, and decides who goes next.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::message::QueueName;
use domain::time::Timestamp;
use fastrand::Rng;
use serde_json::Value;
use testkit::fakes::{FakeBuild, MemoryBuilds, Received, Trouble, World};

use crate::functions::Functions;

/// What goes otherwise than on a good day.
#[derive(Debug, Clone, Default)]
pub struct Disturbance {
    /// Decides every order; none means the order of arrival.
    pub seed: Option<u64>,
    /// Troubles by the number of the port call.
    pub troubles: Vec<(usize, Trouble)>,
    /// So many of the first hundred deliveries are lost.
    pub losses: u32,
    /// So many of the first hundred deliveries come twice.
    pub duplicates: u32,
    /// Every fifth invocation stalls again and again, for at most so many steps of others.
    pub stall: u32,
}

/// How the builds of a task end.
pub trait Fates {
    /// Ends the build in the world.
    fn end(&self, world: &World, build: &FakeBuild) -> Option<FakeBuild>;
}

/// How many invocations run at the same time.
const HANDS: usize = 4;

/// Every so many invocations one is slow.
const SLOW: u32 = 5;

/// The most messages of one invocation, as in template.yaml.
const BATCH: usize = 10;

/// sweep's schedule.
const SWEEP: Duration = Duration::from_mins(1);

/// A run that takes longer has come to a standstill.
const LONGEST: Duration = Duration::from_hours(6);

/// Until when messages are lost and doubled.
const DISTURBED: u32 = 100;

/// An invocation under way.
struct Hand<'a> {
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
    stalled: u32,
    is_slow: bool,
    is_sweep: bool,
}

enum Step {
    Poll(usize),
    Receive(u64),
    EndBuild(Box<FakeBuild>),
    Sweep,
}

pub struct Scheduler<'a> {
    world: &'a World,
    functions: &'a Functions,
    fates: &'a dyn Fates,
    rng: Option<Rng>,
    losses: u32,
    duplicates: u32,
    stall: u32,
    deliveries: u32,
    hands: Vec<Hand<'a>>,
    ends: BTreeMap<String, Timestamp>,
    next_sweep: Timestamp,
}

impl<'a> Scheduler<'a> {
    pub fn new(
        world: &'a World,
        functions: &'a Functions,
        fates: &'a dyn Fates,
        disturbance: &Disturbance,
    ) -> Self {
        for (number, trouble) in &disturbance.troubles {
            world.wire.trouble_at(*number, *trouble);
        }
        world.wire.interleave();
        Self {
            world,
            functions,
            fates,
            rng: disturbance.seed.map(Rng::with_seed),
            losses: disturbance.losses,
            duplicates: disturbance.duplicates,
            stall: disturbance.stall,
            deliveries: 0,
            hands: Vec::new(),
            ends: BTreeMap::new(),
            next_sweep: world.clock.now().after(SWEEP),
        }
    }

    /// A webhook; GitHub's user presses `Redeliver` until it is taken.
    pub fn post(&mut self, request: &'a Value) {
        let functions = self.functions;
        let mut taken = false;
        while !taken {
            let mut future = Box::pin(async { taken = functions.post(request).await });
            while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                if self.world.wire.take_crash() {
                    break;
                }
            }
        }
    }

    /// Goes on for so many steps, or until there is nothing to do at once.
    pub fn go(&mut self, steps: usize) {
        for _ in 0..steps {
            if !self.step() {
                return;
            }
        }
    }

    /// Goes on until nothing is left to do; the error says what is left after hours.
    pub fn run(&mut self) -> Result<(), String> {
        let deadline = self.world.clock.now().after(LONGEST);
        while self.world.clock.now() < deadline {
            if !self.step() {
                match self.next_time() {
                    Some(time) => self.world.clock.advance_to(time),
                    None => return Ok(()),
                }
            }
        }
        Err(format!("no rest after hours: {:#?}", self.world.store.heads()))
    }

    /// Lets so much time pass, with sweeps also where no run waits for one.
    pub fn pass(&mut self, time: Duration) {
        let end = self.world.clock.now().after(time);
        while self.world.clock.now() < end {
            if !self.step() {
                let next = self.next_time().map_or(self.next_sweep, |time| time.min(self.next_sweep));
                self.world.clock.advance_to(next.min(end));
            }
        }
    }

    /// One step; false when nothing can be done before a later time.
    fn step(&mut self) -> bool {
        let steps = self.steps();
        if steps.is_empty() {
            return false;
        }
        let step = self.choose(steps);
        self.perform(step);
        let pause = self.rng.as_mut().map_or(20, |rng| rng.u64(0..100));
        self.world.clock.advance(Duration::from_millis(pause));
        true
    }

    fn steps(&mut self) -> Vec<Step> {
        if let Some(index) = self.hands.iter().position(|hand| hand.stalled > self.stall) {
            return vec![Step::Poll(index)];
        }
        let mut steps: Vec<_> =
            (0..self.hands.len()).filter(|index| !self.hands[*index].is_slow).map(Step::Poll).collect();
        if self.hands.len() < HANDS {
            steps.extend(self.world.queue.visible().into_iter().map(Step::Receive));
        }
        let now = self.world.clock.now();
        for build in self.running() {
            if self.end_of(&build) <= now {
                steps.push(Step::EndBuild(Box::new(build)));
            }
        }
        if self.next_sweep <= now && !self.hands.iter().any(|hand| hand.is_sweep) {
            steps.push(Step::Sweep);
        }
        if steps.is_empty() {
            steps.extend((0..self.hands.len()).map(Step::Poll));
        }
        steps
    }

    fn choose(&mut self, mut steps: Vec<Step>) -> Step {
        let index = self.rng.as_mut().map_or(0, |rng| rng.usize(0..steps.len()));
        steps.swap_remove(index)
    }

    fn perform(&mut self, step: Step) {
        match step {
            Step::Poll(index) => self.poll(index),
            Step::Receive(number) => self.receive(number),
            Step::EndBuild(build) => {
                if let Some(ended) = self.fates.end(self.world, &build) {
                    let queue = QueueName::Stage(ended.request.attempts[0].task.stage);
                    self.world.queue.put(queue, &ended.event(), Duration::ZERO);
                }
            }
            Step::Sweep => {
                self.next_sweep = self.world.clock.now().after(SWEEP);
                let functions = self.functions;
                self.begin(Box::pin(functions.sweep()), true);
            }
        }
    }

    fn poll(&mut self, index: usize) {
        for (other, hand) in self.hands.iter_mut().enumerate() {
            hand.stalled = if other == index { 0 } else { hand.stalled + 1 };
        }
        let polled = self.hands[index].future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let crashed = self.world.wire.take_crash();
        if crashed || polled == Poll::Ready(()) {
            drop(self.hands.swap_remove(index));
        }
    }

    /// The message begins a batch; others that wait on its queue come with it, as many as chance says.
    fn receive(&mut self, number: u64) {
        let Some(first) = self.take(number) else { return };
        let most = self.rng.as_mut().map_or(BATCH, |rng| rng.usize(1..=BATCH));
        let (name, mut batch) = (first.queue, vec![first]);
        for number in self.world.queue.visible_on(name).into_iter().take(most - 1) {
            batch.extend(self.take(number));
        }
        let functions = self.functions;
        self.begin(Box::pin(functions.handle(name, batch)), false);
    }

    /// A message in hands, unless it is lost or dead; it may also come twice.
    fn take(&mut self, number: u64) -> Option<Received> {
        let received = self.world.queue.receive(number)?;
        self.deliveries += 1;
        let is_early = self.deliveries <= DISTURBED;
        if let Some(rng) = self.rng.as_mut().filter(|_| is_early) {
            // Before plan has written a run there is nothing that sweep could find; GitHub redelivers then. What somebody
            // has received comes again until it is done with.
            let may_be_lost = received.queue != QueueName::Plan && received.receives == 1;
            if may_be_lost && rng.u32(0..DISTURBED) < self.losses {
                self.world.queue.delete(number);
                return None;
            }
            if rng.u32(0..DISTURBED) < self.duplicates {
                self.world.queue.duplicate(number);
            }
        }
        Some(received)
    }

    fn begin(&mut self, future: Pin<Box<dyn Future<Output = ()> + 'a>>, is_sweep: bool) {
        let is_slow = self.rng.as_mut().is_some_and(|rng| rng.u32(0..SLOW) == 0);
        self.hands.push(Hand { future, stalled: 0, is_slow, is_sweep });
    }

    fn running(&self) -> Vec<FakeBuild> {
        let World { tests, untrusted, image_builds, renders, .. } = &self.world;
        [tests, untrusted, image_builds, renders].map(MemoryBuilds::running).concat()
    }

    /// A disturbed build takes up to ten minutes, so that sweeps and old intents come before its end.
    fn end_of(&mut self, build: &FakeBuild) -> Timestamp {
        let rng = &mut self.rng;
        *self.ends.entry(build.id.clone()).or_insert_with(|| {
            let seconds = rng.as_mut().map_or(30, |rng| rng.u64(0..600));
            build.started.after(Duration::from_secs(seconds))
        })
    }

    /// When something is to be done again; none when everything is at rest.
    fn next_time(&mut self) -> Option<Timestamp> {
        let mut times: Vec<_> = self.world.queue.next_visible().into_iter().collect();
        for build in self.running() {
            times.push(self.end_of(&build));
        }
        if self.world.store.heads().iter().any(|head| head.due.is_some()) {
            times.push(self.next_sweep);
        }
        times.into_iter().min()
    }
}
