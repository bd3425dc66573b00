"""How a chip is to hold a system: form, loop, shift, method, blocks and places, chosen by forecast."""
