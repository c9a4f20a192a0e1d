//! Tasks of message-io's node, as its signals.

use hvloop_compare::Result;
use hvloop_compare::on_loop::{LoopArgs, Poster, begin_posting};
use message_io::node::{NodeEvent, NodeHandler, split};

type Task = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
struct Node(NodeHandler<Task>);

impl Poster for Node {
    fn post(&self, task: impl FnOnce() + Send + 'static) {
        self.0.signals().send(Box::new(task));
    }
}

fn main() -> Result<()> {
    let args = LoopArgs::get()?;
    let (handler, listener) = split::<Task>();
    begin_posting(&args, Node(handler))?;
    listener.for_each(|event| {
        if let NodeEvent::Signal(task) = event {
            task();
        }
    });
    Ok(())
}
