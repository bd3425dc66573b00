"""Algorithms on arrays that know no instrument: refinement around an injected INV and MVM, and checked digit sums."""
