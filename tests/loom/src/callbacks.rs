//! Models of the gate of callbacks: nobody is in, or comes in, once it is shut and was waited for.

use crate::callback_gate::Gate;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// What callbacks use, and nobody may once they are over: loom finds two that use it at a time.
struct Object {
    gate: Gate,
    data: UnsafeCell<usize>,
}

// SAFETY: that it is used by one at a time is what the models look at.
unsafe impl Sync for Object {}

impl Object {
    fn new(gate: Gate) -> Arc<Self> {
        let data = UnsafeCell::new(1);
        Arc::new(Self { gate, data })
    }

    /// A callback: reads.
    fn call(&self) -> Option<()> {
        self.gate.enter(|| self.read())
    }

    fn read(&self) {
        // SAFETY: see above.
        let value = self.data.with(|data| unsafe { *data });
        assert_eq!(value, 1, "called when it was over");
    }

    /// The object goes: writes.
    fn free(&self) {
        self.gate.shut();
        self.gate.wait();
        // SAFETY: see above.
        self.data.with_mut(|data| unsafe { *data = 0 });
    }
}

/// Nobody is in when the wait is over, and it is over.
#[test]
fn nobody_is_called_once_it_is_free() {
    for several in [false, true] {
        loom::model(move || {
            let object = Object::new(match several {
                false => Gate::default(),
                true => Gate::for_threads(),
            });
            let calls = {
                let object = object.clone();
                thread::spawn(move || {
                    let first = object.call();
                    let second = object.call();
                    assert!(first.is_some() || second.is_none(), "it opened again");
                })
            };
            object.free();
            assert!(object.call().is_none());
            calls.join().expect("no panic");
        });
    }
}

/// Two that come and go at the same time, and one that waits for both.
#[test]
fn two_threads_are_waited_for() {
    loom::model(|| {
        let object = Object::new(Gate::for_threads());
        let call = |object: &Arc<Object>| {
            let object = object.clone();
            thread::spawn(move || object.call())
        };
        let (one, two) = (call(&object), call(&object));
        object.free();
        one.join().expect("no panic");
        two.join().expect("no panic");
    });
}

/// From inside of its own call it waits for the others alone.
#[test]
fn freed_inside_of_a_call() {
    loom::model(|| {
        let object = Object::new(Gate::for_threads());
        let other = {
            let object = object.clone();
            thread::spawn(move || object.call())
        };
        object.gate.enter(|| {
            object.read();
            object.free();
        });
        other.join().expect("no panic");
    });
}
