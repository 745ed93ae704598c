//! A map of bounded size whose entries end at a given time.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Entries by key and by their end. Times are milliseconds of any clock that does not go back.
///
/// An entry is gone at its end, though its memory is freed only as later ones are put.
pub(crate) struct Expiring<V> {
    entries: HashMap<Arc<[u8]>, Held<V>>,
    by_end: BTreeSet<(u64, Arc<[u8]>)>,
    capacity: usize,
}

/// A value and the time at which it is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry<V> {
    pub(crate) value: V,
    pub(crate) ends: u64,
}

/// An entry and the end that it is listed under. Whoever puts off its end leaves it in its place:
/// it finds its new one when the old end comes.
struct Held<V> {
    entry: Entry<V>,
    listed: u64,
}

impl<V> Expiring<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { entries: HashMap::new(), by_end: BTreeSet::new(), capacity }
    }

    pub(crate) fn get(&self, key: &[u8], now: u64) -> Option<&Entry<V>> {
        self.entries.get(key).map(|it| &it.entry).filter(|entry| now < entry.ends)
    }

    /// The entry, to be changed and put off.
    pub(crate) fn get_mut(&mut self, key: &[u8], now: u64) -> Option<&mut Entry<V>> {
        self.entries.get_mut(key).map(|it| &mut it.entry).filter(|entry| now < entry.ends)
    }

    /// Removes the entry and returns it, if it has not ended.
    pub(crate) fn take(&mut self, key: &[u8], now: u64) -> Option<Entry<V>> {
        let (key, Held { entry, listed }) = self.entries.remove_entry(key)?;
        self.by_end.remove(&(listed, key));
        (now < entry.ends).then_some(entry)
    }

    /// Puts an entry in the place of any other under the key. In a full map the entry that ends
    /// soonest makes room, and is returned.
    pub(crate) fn put(&mut self, key: &[u8], entry: Entry<V>, now: u64) -> Option<Entry<V>> {
        self.take(key, now);
        while self.soonest().is_some_and(|ends| ends <= now) {
            self.pop();
        }
        let evicted = if self.entries.len() < self.capacity { None } else { self.pop() };
        let (key, listed): (Arc<[u8]>, _) = (key.into(), entry.ends);
        self.by_end.insert((listed, key.clone()));
        self.entries.insert(key, Held { entry, listed });
        evicted
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.by_end.clear();
    }

    /// The end of the entry that ends soonest.
    fn soonest(&mut self) -> Option<u64> {
        loop {
            let (listed, key) = self.by_end.first()?;
            let held = self.entries.get_mut(key).expect("what is listed is held");
            if held.entry.ends <= *listed {
                return Some(*listed);
            }
            held.listed = held.entry.ends;
            let (_, key) = self.by_end.pop_first()?;
            self.by_end.insert((held.listed, key));
        }
    }

    /// Removes the entry that ends soonest.
    fn pop(&mut self) -> Option<Entry<V>> {
        self.soonest()?;
        let (_, key) = self.by_end.pop_first()?;
        self.entries.remove(&key).map(|it| it.entry)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Key, lifetime, whether it is put off only, time until the next step.
    fn puts() -> impl Strategy<Value = Vec<(u8, u64, bool, u64)>> {
        prop::collection::vec((0..12u8, 1..20u64, any::<bool>(), 0..4u64), 1..100)
    }

    proptest! {
        #[test]
        fn what_is_in_is_what_was_put_and_has_not_ended_or_been_evicted(puts in puts()) {
            let (mut map, mut now) = (Expiring::new(5), 0);
            let mut model: HashMap<u8, u64> = HashMap::new();
            for (key, ttl, is_put_off, step) in puts {
                model.retain(|_, ends| now < *ends);
                if is_put_off {
                    let entry = map.get_mut(&[key], now);
                    prop_assert_eq!(entry.is_some(), model.contains_key(&key));
                    if let Some(entry) = entry {
                        entry.ends += ttl;
                        *model.get_mut(&key).unwrap() += ttl;
                    }
                } else {
                    model.remove(&key);
                    let soonest = model.values().min().copied();
                    let evicted = map.put(&[key], Entry { value: key, ends: now + ttl }, now);
                    prop_assert_eq!(evicted.is_some(), model.len() == 5);
                    if let Some(evicted) = evicted {
                        prop_assert_eq!(Some(evicted.ends), soonest);
                        model.remove(&evicted.value);
                    }
                    model.insert(key, now + ttl);
                }
                now += step;
                for key in 0..12 {
                    let expected = model.get(&key).filter(|ends| now < **ends);
                    prop_assert_eq!(map.get(&[key], now).map(|entry| &entry.ends), expected);
                }
                prop_assert!(map.entries.len() <= 5 && map.entries.len() == map.by_end.len());
            }
        }
    }

    #[test]
    fn an_entry_is_taken_once_and_not_after_its_end() {
        let mut map = Expiring::new(5);
        map.put(b"a", Entry { value: 1, ends: 10 }, 0);
        map.put(b"b", Entry { value: 2, ends: 10 }, 0);
        assert_eq!(map.take(b"a", 9), Some(Entry { value: 1, ends: 10 }));
        assert_eq!(map.take(b"a", 9), None);
        assert_eq!(map.take(b"b", 10), None);
    }
}
