//! Tasks of calloop's loop, through its channel.

use calloop::channel::{Event, Sender, channel};
use hvloop_compare::Result;
use hvloop_compare::on_loop::{LoopArgs, Poster, begin_posting};

type Task = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
struct Channel(Sender<Task>);

impl Poster for Channel {
    fn post(&self, task: impl FnOnce() + Send + 'static) {
        // Refused only once the loop is gone, and the process with it.
        _ = self.0.send(Box::new(task));
    }
}

fn main() -> Result<()> {
    let args = LoopArgs::get()?;
    let mut event_loop = calloop::EventLoop::<()>::try_new()?;
    let (sender, receiver) = channel::<Task>();
    let handle = event_loop.handle();
    let inserted = handle.insert_source(receiver, |event, _, ()| {
        if let Event::Msg(task) = event {
            task();
        }
    });
    inserted.map_err(|e| e.error)?;
    begin_posting(&args, Channel(sender))?;
    event_loop.run(None, &mut (), |()| {})?;
    Ok(())
}
