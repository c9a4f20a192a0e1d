use super::*;
use std::collections::HashMap;

#[test]
fn none_and_foreign_tokens_find_nothing() {
    let mut slots = Slots::default();
    slots.insert(1);
    for key in [
        Key::NONE,
        Key::from_token(usize::MAX),
        Key::from_token(1),
        Key::from_token(1 << 32),
    ] {
        assert_eq!(slots.get(key), None);
        assert_eq!(slots.remove(key), None);
    }
    assert_eq!(slots.len(), 1);
}

#[test]
fn stale_key_finds_nothing_although_its_index_is_used_again() {
    let mut slots = Slots::default();
    let old = slots.insert("old");
    assert_eq!(slots.remove(old), Some("old"));
    assert_eq!(slots.remove(old), None);
    let mut told = Key::NONE;
    let new = slots.insert_with(|key| {
        told = key;
        "new"
    });
    assert_eq!((new.index, new), (old.index, told));
    assert_ne!(new, old);
    assert_eq!(slots.get(old), None);
    assert_eq!(slots.remove(old), None);
    assert_eq!(slots.get(new), Some(&"new"));
    assert_eq!(slots.keys(), [new]);
    slots.check_invariants().expect("the count is right");
}

#[test]
fn last_generation_retires_the_index() {
    let mut slots = Slots::default();
    let first = slots.insert(0);
    slots.remove(first);
    slots.generations[0] = u32::MAX - 1;
    for round in 0..2 {
        let key = slots.insert(round);
        assert_eq!(key.index, 0);
        assert_eq!(slots.remove(key), Some(round));
        assert_eq!((slots.len(), slots.keys()), (0, vec![]));
        slots.check_invariants().expect("the count is right");
    }
    let last = Key {
        index: 0,
        generation: u32::MAX,
    };
    assert_eq!(slots.get(last), None);
    assert_eq!(slots.remove(last), None);
    let after = slots.insert(7);
    assert_eq!(after.index, 1, "index 0 would repeat its keys");
    assert_eq!(slots.keys(), [after]);
    slots.check_invariants().expect("the count is right");
}

#[test]
fn drain_takes_all_and_ends_their_keys() {
    let mut slots = Slots::default();
    let keys: Vec<Key> = (0..3).map(|n| slots.insert(n)).collect();
    slots.remove(keys[1]);
    assert_eq!(slots.drain(), [0, 2]);
    assert_eq!(slots.len(), 0);
    assert!(keys.iter().all(|&key| slots.get(key).is_none()));
    let new = slots.insert(5);
    assert!(!keys.contains(&new));
    slots.check_invariants().expect("the count is right");
}

#[test]
fn random_operations_agree_with_a_map() {
    for seed in 1..=64_u64 {
        let mut random = seed;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random as usize
        };
        let mut slots = Slots::default();
        let mut model: HashMap<Key, usize> = HashMap::new();
        let mut ever: Vec<Key> = Vec::new();
        for step in 0..500 {
            if next() % 2 == 0 || ever.is_empty() {
                let key = slots.insert(step);
                assert!(!ever.contains(&key), "seed {seed}: a key came again");
                ever.push(key);
                model.insert(key, step);
            } else {
                let key = ever[next() % ever.len()];
                assert_eq!(slots.remove(key), model.remove(&key), "seed {seed}");
            }
            slots.check_invariants().expect("the count is right");
            assert_eq!(slots.len(), model.len());
        }
        for key in ever {
            assert_eq!(slots.get(key), model.get(&key), "seed {seed}");
        }
    }
}
