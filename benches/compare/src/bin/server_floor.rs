//! The floor's server: see [`hvloop_compare::raw`].

fn main() -> hvloop_compare::Result<()> {
    hvloop_compare::raw::server(&hvloop_compare::args::ServerArgs::get()?)
}
