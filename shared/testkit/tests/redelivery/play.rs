//! Plays the cloud around the functions in one fixed order, and stops where a scenario begins.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use domain::ids::TaskId;
use domain::message::QueueName;
use domain::run::Run;
use domain::spec::Plan;
use domain::time::Timestamp;
use serde_json::Value;
use testkit::builders::{a_commit_of, a_push, a_sha};
use testkit::fakes::{MemoryBuilds, Received, World};

use crate::coverage::{Met, met_by};
use crate::fates::end_build;
use crate::functions::Functions;

/// How long a build takes.
const BUILD: Duration = Duration::from_secs(3);

/// sweep's schedule.
const MINUTE: Duration = Duration::from_mins(1);

/// Enough sweeps that each silent run is woken at least once.
const SWEEPS: usize = 4;

/// A play that takes longer has come to a standstill.
const LONGEST: Duration = Duration::from_hours(6);

/// So many invocations, or so many polls of one, are no end.
const MOST: usize = 2_000;

/// What invokes a function.
#[derive(Debug, Clone)]
pub enum Call {
    /// A request of GitHub's.
    Post(Value),
    /// A message, or several of the same queue in one batch.
    Messages(Vec<Received>),
    /// The schedule.
    Sweep,
}

/// An invocation under way.
pub type Hand = Pin<Box<dyn Future<Output = ()>>>;

type Event = (Timestamp, Box<dyn FnOnce(&World)>);

/// A world with the functions, builds that end, and whatever else a scenario lets happen.
pub struct Play {
    pub world: World,
    pub met: BTreeSet<Met>,
    /// Another invocation that is due at the same time.
    pub beside: Option<Call>,
    functions: Rc<Functions>,
    red: Vec<TaskId>,
    builds_take: Duration,
    events: Vec<Event>,
    /// A request that GitHub's user repeats until it is taken.
    posting: Option<Value>,
    taken: Rc<Cell<bool>>,
    sweeps_left: usize,
    next_sweep: Timestamp,
    tells_last: bool,
}

impl Play {
    /// A world in which nothing has happened. With `tells_last` people are told once nothing else is to come, so that
    /// a play that is not about telling is short.
    pub fn new(tells_last: bool) -> Self {
        let world = World::new();
        world.wire.interleave();
        Self {
            functions: Rc::new(Functions::new(&world)),
            met: BTreeSet::new(),
            beside: None,
            red: Vec::new(),
            builds_take: BUILD,
            events: Vec::new(),
            posting: None,
            taken: Rc::default(),
            sweeps_left: 0,
            next_sweep: world.clock.now(),
            tells_last,
            world,
        }
    }

    /// Commit `number` on `develop` with that plan, and the webhook that tells it.
    pub fn commit(&mut self, number: u64, plan: &Plan) -> Value {
        self.commit_on("develop", number, plan)
    }

    /// Commit `number` on a branch with that plan, and the webhook that tells it.
    pub fn commit_on(&mut self, branch: &str, number: u64, plan: &Plan) -> Value {
        self.world.github.push(branch, &a_sha(number), a_commit_of(number, plan));
        let before = (number > 1).then(|| a_sha(number - 1));
        a_push(branch, before.as_ref(), &a_sha(number))
    }

    /// Commit `number` on `develop`, and its webhook taken.
    pub fn push(&mut self, number: u64, plan: &Plan) {
        let push = self.commit(number, plan);
        self.invoke(&Call::Post(push));
    }

    /// The build of a task will be red.
    pub fn red(&mut self, task: &str) {
        self.red.push(testkit::builders::name(task));
    }

    /// Builds take so long from now on.
    pub fn builds_take(&mut self, duration: Duration) {
        self.builds_take = duration;
    }

    /// Something that happens in the world after a while.
    pub fn later(&mut self, after: Duration, event: impl FnOnce(&World) + 'static) {
        self.events.push((self.world.clock.now().after(after), Box::new(event)));
    }

    /// Plays until a message with all these words lies on the queue, and takes it into hands.
    pub fn until(&mut self, queue: QueueName, words: &[&str]) -> Call {
        Call::Messages(vec![self.find(queue, words)])
    }

    /// Plays until a message with all these words lies on the queue, and loses it.
    pub fn lose(&mut self, queue: QueueName, words: &[&str]) {
        let lost = self.find(queue, words);
        self.world.queue.delete(lost.number);
    }

    /// Loses every message there is, also those in hands.
    pub fn lose_all(&mut self) {
        self.wait(testkit::fakes::VISIBILITY);
        self.world.queue.visible().into_iter().for_each(|number| self.world.queue.delete(number));
    }

    /// Lets so much time pass while everything else stands still.
    pub fn wait(&mut self, duration: Duration) {
        self.world.clock.advance(duration);
    }

    /// Delivers the message so many times, as it comes back, and takes it into hands once more.
    pub fn fail(&mut self, queue: QueueName, words: &[&str], times: usize) -> Call {
        for _ in 0..times {
            let call = self.until(queue, words);
            self.invoke(&call);
        }
        self.until(queue, words)
    }

    /// What was red will be green.
    pub fn mend(&mut self) {
        self.red.clear();
    }

    /// A person's or the schedule's message lies on the queue, and is taken into hands.
    pub fn put(&mut self, queue: QueueName, body: &str) -> Call {
        self.world.queue.put(queue, body, Duration::ZERO);
        self.until(queue, &[body])
    }

    /// A person redrives the only dead letter there is.
    pub fn redrive(&mut self) -> Call {
        let [letter] = self.world.queue.dead().try_into().expect("one letter is dead");
        self.put(letter.queue, &letter.body)
    }

    /// Plays until every run is finished; there is at least one.
    pub fn until_finished(&mut self) {
        while self.world.store.heads().is_empty() || !self.world.store.heads().iter().all(Run::is_finished) {
            assert!(self.step() || self.skip(), "a run never ends");
        }
    }

    fn find(&mut self, queue: QueueName, words: &[&str]) -> Received {
        for _ in 0..MOST {
            for number in self.world.queue.visible_on(queue) {
                let (_, body) = self.world.queue.body(number).expect("it is visible");
                if words.iter().all(|word| body.contains(word)) {
                    return self.world.queue.receive(number).expect("it is not dead");
                }
            }
            assert!(self.step() || self.skip(), "no message with {words:?} ever lies on {queue:?}");
        }
        panic!("no message with {words:?} lies on {queue:?} after {MOST} steps");
    }

    /// Begins an invocation.
    pub fn begin(&mut self, call: &Call) -> Hand {
        self.met.extend(met_by(&self.world, call));
        let functions = Rc::clone(&self.functions);
        match call.clone() {
            Call::Post(request) => {
                self.posting = Some(request.clone());
                self.taken.set(false);
                let taken = Rc::clone(&self.taken);
                Box::pin(async move {
                    let answer = functions.post(&request).await;
                    taken.set(taken.get() || answer);
                })
            }
            Call::Messages(batch) => {
                let queue = batch[0].queue;
                Box::pin(async move { functions.handle(queue, batch).await })
            }
            Call::Sweep => {
                self.next_sweep = self.world.clock.now().after(MINUTE);
                Box::pin(async move { functions.sweep().await })
            }
        }
    }

    /// One invocation from its begin to its end, or to its death.
    pub fn invoke(&mut self, call: &Call) {
        let hand = self.begin(call);
        self.end(hand);
    }

    /// Goes on with an invocation up to its end, or its death.
    pub fn end(&self, mut hand: Hand) {
        assert!(self.poll(&mut hand, MOST), "the invocation makes more than {MOST} port calls");
    }

    /// Lets an invocation make port calls: `polls` of 1 stops before its first one. True when it has ended or died.
    pub fn poll(&self, hand: &mut Hand, polls: usize) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        (0..polls)
            .any(|_| hand.as_mut().poll(&mut context) == Poll::Ready(()) || self.world.wire.take_crash())
    }

    /// Plays until the queues are empty, every build has ended, and nothing more is to happen by itself.
    pub fn rest(&mut self) -> Result<(), String> {
        self.go(MOST, LONGEST)?;
        Ok(())
    }

    /// Some sweeps, and what comes of them.
    pub fn sweep(&mut self) -> Result<(), String> {
        self.sweeps_left = SWEEPS;
        self.next_sweep = self.next_sweep.max(self.world.clock.now().after(MINUTE));
        self.rest()
    }

    /// Plays at most so many steps and so long; false when everything has come to rest.
    pub fn go(&mut self, steps: usize, longest: Duration) -> Result<bool, String> {
        let deadline = self.world.clock.now().after(longest);
        for _ in 0..steps {
            while !self.step() {
                if self.next_time().is_some_and(|time| time > deadline) {
                    return self.standstill(longest == LONGEST);
                }
                if !self.skip() {
                    return Ok(false);
                }
            }
        }
        self.standstill(steps == MOST)
    }

    fn standstill(&self, is_fault: bool) -> Result<bool, String> {
        if is_fault { Err(format!("no rest: {} messages wait", self.world.queue.len())) } else { Ok(true) }
    }

    /// Does what is due now; false when nothing is.
    fn step(&mut self) -> bool {
        let now = self.world.clock.now();
        if let Some(index) = self.events.iter().position(|(time, _)| *time <= now) {
            let (_, event) = self.events.remove(index);
            event(&self.world);
        } else if let Some(build) = self.ended_build() {
            if let Some(ended) = end_build(&self.world, &build, |task| self.red.contains(task)) {
                let queue = QueueName::Stage(ended.request.attempts[0].task.stage);
                self.world.queue.put(queue, &ended.event(), Duration::ZERO);
            }
        } else if let Some(request) = self.posting.take().filter(|_| !self.taken.take()) {
            self.invoke(&Call::Post(request));
        } else if let Some(number) = self.visible().first() {
            self.take(*number);
        } else if self.sweeps_left > 0 && self.next_sweep <= now {
            self.sweeps_left -= 1;
            self.invoke(&Call::Sweep);
        } else {
            return false;
        }
        self.world.clock.advance(Duration::from_millis(20));
        true
    }

    /// What a function is to be invoked with now.
    fn visible(&self) -> Vec<u64> {
        let mut visible = self.world.queue.visible();
        if self.tells_last {
            let tellings = self.world.queue.visible_on(QueueName::Notify);
            visible.retain(|number| !tellings.contains(number));
        }
        visible
    }

    fn take(&mut self, number: u64) {
        // None when it has come back too often: it is dead then, and seen in the picture.
        if let Some(received) = self.world.queue.receive(number) {
            self.invoke(&Call::Messages(vec![received]));
        }
    }

    /// Moves the clock to the next time at which something is due; where there is none, people are told what waits to
    /// be told. False when nothing does.
    fn skip(&mut self) -> bool {
        match self.next_time() {
            Some(time) => self.world.clock.advance_to(time),
            None => return self.tell(),
        }
        true
    }

    /// The newest telling of each run; those before it would find the same.
    fn tell(&mut self) -> bool {
        let queue = &self.world.queue;
        let body = |number: &u64| (queue.body(*number).map(|(_, body)| body), *number);
        let newest: BTreeMap<_, _> = queue.visible_on(QueueName::Notify).iter().map(body).collect();
        for number in queue.visible_on(QueueName::Notify) {
            if !newest.values().any(|newest| *newest == number) {
                queue.delete(number);
            }
        }
        for number in newest.values() {
            self.take(*number);
        }
        !newest.is_empty()
    }

    fn next_time(&self) -> Option<Timestamp> {
        let ends = self.running().into_iter().map(|build| build.started.after(self.builds_take));
        let events = self.events.iter().map(|(time, _)| *time);
        let sweep = (self.sweeps_left > 0).then_some(self.next_sweep);
        ends.chain(events).chain(sweep).chain(self.world.queue.next_visible()).min()
    }

    fn ended_build(&self) -> Option<testkit::fakes::FakeBuild> {
        let now = self.world.clock.now();
        self.running().into_iter().find(|build| build.started.after(self.builds_take) <= now)
    }

    fn running(&self) -> Vec<testkit::fakes::FakeBuild> {
        let World { tests, untrusted, image_builds, renders, .. } = &self.world;
        [tests, untrusted, image_builds, renders].map(MemoryBuilds::running).concat()
    }
}
