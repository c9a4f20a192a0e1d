//! The floor's client: see [`hvloop_compare::raw`].

fn main() -> hvloop_compare::Result<()> {
    hvloop_compare::raw::client(&hvloop_compare::args::ClientArgs::get()?)
}
