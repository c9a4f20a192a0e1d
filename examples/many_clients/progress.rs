//! How far it is: two bars; lines where there is no terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::error::Error;
use std::fmt::Write;
use std::time::{Duration, Instant};

/// How often a line is printed where there are no bars.
const LINE_EVERY: Duration = Duration::from_secs(1);
/// 70 columns or so; the rate is the present one.
const MOVING: &str = "{prefix:>11} {bar:30} {human_pos}/{human_len}, {rate}";
const FINISHED: &str = "{prefix:>11} {bar:30} {human_pos}/{human_len}, {msg}";

/// See the module.
pub struct Progress {
    bars: MultiProgress,
    connections: ProgressBar,
    messages: ProgressBar,
    began: Instant,
    line: Instant,
}

impl Progress {
    pub fn new(connections: usize, messages: usize) -> Result<Self, Box<dyn Error>> {
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            // What cannot be written is not shown.
            write!(out, "{:.0}/s", state.per_sec()).unwrap_or_default();
        };
        let style = ProgressStyle::with_template(MOVING)?.with_key("rate", rate);
        let bars = MultiProgress::new();
        let bar = |what: &'static str, length: usize| {
            let bar = ProgressBar::new(length as u64).with_style(style.clone());
            bars.add(bar.with_prefix(what))
        };
        Ok(Self {
            connections: bar("connections", connections),
            messages: bar("messages", messages),
            bars,
            began: Instant::now(),
            line: Instant::now(),
        })
    }

    pub fn show(&mut self, connections: usize, messages: usize) -> Result<(), Box<dyn Error>> {
        self.connections.set_position(connections as u64);
        self.messages.set_position(messages as u64);
        for bar in [&self.connections, &self.messages] {
            if Some(bar.position()) == bar.length() && !bar.is_finished() {
                let rate = bar.position() as f64 / self.began.elapsed().as_secs_f64();
                bar.set_style(ProgressStyle::with_template(FINISHED)?);
                bar.finish_with_message(format!("{rate:.0}/s on average"));
            }
        }
        if self.bars.is_hidden() && self.line.elapsed() >= LINE_EVERY {
            self.line = Instant::now();
            println!("{connections} connections, {messages} messages");
        }
        Ok(())
    }
}
