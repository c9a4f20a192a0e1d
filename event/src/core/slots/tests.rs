use super::*;
use std::collections::HashMap;

#[test]
fn none_and_foreign_tokens_find_nothing() {
    let mut slots = Slots::new();
    slots.insert(1);
    for key in [
        Key::NONE,
        Key::from_token(usize::MAX),
        Key::from_token(1),
        Key::from_token(1 << 32),
    ] {
        assert_eq!(slots.get(key), None);
        assert_eq!(slots.get_mut(key), None);
        assert_eq!(slots.remove(key), None);
        assert!(!slots.contains(key));
    }
    assert_eq!(slots.len(), 1);
}

#[test]
fn stale_key_finds_nothing_and_its_index_waits_for_the_end_of_the_tick() {
    let mut slots = Slots::new();
    let old = slots.insert("old");
    assert_eq!(slots.remove(old), Some("old"));
    assert_eq!(slots.remove(old), None);
    let same_tick = slots.insert("same tick");
    assert_ne!(same_tick.index, old.index);
    slots.release_freed();
    let next_tick = slots.insert("next tick");
    assert_eq!(next_tick.index, old.index);
    assert_ne!(next_tick, old);
    assert_eq!(slots.get(old), None);
    assert_eq!(slots.remove(old), None);
    assert_eq!(slots.get(next_tick), Some(&"next tick"));
    assert_eq!(slots.keys(), [next_tick, same_tick]);
    slots.check_invariants().expect("the lists agree");
}

#[test]
fn last_generation_retires_the_index() {
    let mut slots = Slots::new();
    slots.insert(0);
    slots.chunks[0][0].generation = u32::MAX - 1;
    for round in 0..2 {
        let key = slots.keys()[0];
        assert_eq!(key.index, 0);
        assert_eq!(slots.remove(key), Some(round));
        slots.release_freed();
        slots.check_invariants().expect("the lists agree");
        slots.insert(round + 1);
    }
    let after = slots.keys();
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].index, 1, "index 0 would repeat its keys");
    assert_eq!(slots.get(Key::from_token(0)), None);
    slots.check_invariants().expect("the lists agree");
}

#[test]
fn drain_takes_all_and_ends_their_keys() {
    let mut slots = Slots::new();
    let keys: Vec<Key> = (0..3).map(|n| slots.insert(n)).collect();
    slots.remove(keys[1]);
    assert_eq!(slots.drain(), [0, 2]);
    assert_eq!(slots.len(), 0);
    assert!(keys.iter().all(|&key| !slots.contains(key)));
    slots.release_freed();
    slots.insert(5);
    assert_eq!(slots.places(), 3);
    slots.check_invariants().expect("the lists agree");
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
        let mut slots = Slots::new();
        let mut model: HashMap<Key, usize> = HashMap::new();
        let mut ever: Vec<Key> = Vec::new();
        let mut freed_now = Vec::new();
        for step in 0..500 {
            match next() % 8 {
                0..=3 => {
                    let key = slots.insert(step);
                    assert!(!ever.contains(&key), "seed {seed}: a key came again");
                    assert!(
                        !freed_now.contains(&key.index),
                        "seed {seed}: reused in tick"
                    );
                    ever.push(key);
                    model.insert(key, step);
                }
                4..=6 if !ever.is_empty() => {
                    let key = ever[next() % ever.len()];
                    let value = model.remove(&key);
                    if value.is_some() {
                        freed_now.push(key.index);
                    }
                    assert_eq!(slots.remove(key), value, "seed {seed}");
                }
                _ => {
                    slots.release_freed();
                    freed_now.clear();
                }
            }
            slots.check_invariants().expect("the lists agree");
            assert_eq!(slots.len(), model.len());
        }
        for key in ever {
            assert_eq!(slots.get(key), model.get(&key), "seed {seed}");
        }
    }
}
