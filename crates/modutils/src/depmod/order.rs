//! The order of the names on a line of `modules.dep`.

use super::graph::Graph;

/// The modules' numbers, and with them the order of dependencies: users before what they need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    numbers: Vec<u32>,
}

/// The graph has a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cyclic;

impl Order {
    /// Numbers the modules: modules that nobody needs go on a stack in module order; the last is taken
    /// off and numbered, and of its direct dependencies those go on the stack whose users now all
    /// have a number.
    ///
    /// # Errors
    /// [`Cyclic`] where modules are left over.
    pub fn of(graph: &Graph) -> Result<Self, Cyclic> {
        let mut users = graph.users();
        let mut numbers = vec![0_u32; graph.len()];
        let mut stack: Vec<u32> =
            (0..).zip(&users).filter(|(_, users)| **users == 0).map(|(at, _)| at).collect();
        let mut next = 0_u32;
        while let Some(module) = stack.pop() {
            if let Some(number) = numbers.get_mut(module as usize) {
                *number = next;
            }
            next = next.saturating_add(1);
            for &dependency in graph.direct(module) {
                if let Some(count) = users.get_mut(dependency as usize) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        stack.push(dependency);
                    }
                }
            }
        }
        if next as usize == graph.len() { Ok(Self { numbers }) } else { Err(Cyclic) }
    }

    /// For each module all modules it needs, directly or not, by ascending number: a later one needs
    /// none before it.
    pub fn dependencies(&self, graph: &Graph) -> Vec<Vec<u32>> {
        // For each module, the last one whose line it was put on.
        let mut on_line_of = vec![u32::MAX; graph.len()];
        let modules = (0_u32..).take(graph.len());
        modules
            .map(|module| {
                let mut line = Vec::new();
                let mut stack = vec![module];
                while let Some(user) = stack.pop() {
                    for &dependency in graph.direct(user) {
                        let Some(last) = on_line_of.get_mut(dependency as usize) else { continue };
                        if *last != module {
                            *last = module;
                            line.push(dependency);
                            stack.push(dependency);
                        }
                    }
                }
                line.sort_unstable_by_key(|&dependency| self.numbers.get(dependency as usize));
                line
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_needed_last_stands_last() {
        // 0 needs 1 and 2, both need 3; 4 needs 3 alone.
        let graph = Graph::new(vec![vec![1, 2], vec![3], vec![3], vec![], vec![3]]);
        let order = Order::of(&graph).unwrap();
        let lines = order.dependencies(&graph);
        assert_eq!(lines, [vec![2, 1, 3], vec![3], vec![3], vec![], vec![3]]);
    }

    #[test]
    fn a_cycle_leaves_no_order() {
        assert_eq!(Order::of(&Graph::new(vec![vec![1], vec![2], vec![1]])), Err(Cyclic));
        assert_eq!(Order::of(&Graph::new(vec![vec![0]])), Err(Cyclic));
    }

    proptest! {
        #[test]
        fn of_any_graph_without_cycles_every_line_is_complete_and_sound(
            edges in proptest::collection::vec((0_u32..20, 0_u32..20), 0..80)
        ) {
            let mut direct = vec![Vec::new(); 20];
            for (a, b) in edges {
                // From the smaller to the larger: no cycle.
                let (user, dependency) = (a.min(b), a.max(b));
                if user != dependency && !direct[user as usize].contains(&dependency) {
                    direct[user as usize].push(dependency);
                }
            }
            let graph = Graph::new(direct);
            let lines = Order::of(&graph).unwrap().dependencies(&graph);
            for (module, line) in (0..).zip(&lines) {
                prop_assert!(!line.contains(&module));
                for (place, dependency) in line.iter().enumerate() {
                    for needed in graph.direct(*dependency) {
                        prop_assert!(line[place..].contains(needed), "{needed} after {dependency} on {line:?}");
                    }
                }
                prop_assert!(graph.direct(module).iter().all(|dependency| line.contains(dependency)));
            }
        }
    }
}
