//! Tasks of a loop that has nothing else: a queue under a mutex, and an eventfd that is written when the
//! queue was empty.

use hvloop_compare::Result;
use hvloop_compare::on_loop::{LoopArgs, Poster, begin_posting};
use mio::{Events, Poll, Token, Waker};
use std::sync::{Arc, Mutex, PoisonError};

type Task = Box<dyn FnOnce() + Send>;

struct Queue {
    tasks: Mutex<Vec<Task>>,
    waker: Waker,
}

#[derive(Clone)]
struct Floor(Arc<Queue>);

impl Poster for Floor {
    fn post(&self, task: impl FnOnce() + Send + 'static) {
        let task = Box::new(task);
        let mut tasks = self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = tasks.is_empty();
        tasks.push(task);
        drop(tasks);
        if was_empty && let Err(e) = self.0.waker.wake() {
            hvloop_compare::control::fail(&e);
        }
    }
}

fn main() -> Result<()> {
    let args = LoopArgs::get()?;
    let mut poll = Poll::new()?;
    let queue = Arc::new(Queue {
        tasks: Mutex::new(Vec::new()),
        waker: Waker::new(poll.registry(), Token(0))?,
    });
    begin_posting(&args, Floor(queue.clone()))?;
    let (mut events, mut tasks) = (Events::with_capacity(16), Vec::new());
    loop {
        poll.poll(&mut events, None)?;
        let mut queued = queue.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *queued, &mut tasks);
        drop(queued);
        tasks.drain(..).for_each(|task: Task| task());
    }
}
