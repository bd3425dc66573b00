% Three buses in a ring, made for tests.
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [1 3 0; 2 1 50; 3 1 30];
mpc.gen = [1 80 0 0 0 1 100 1];
mpc.branch = [
  1 2 0 0.1 0 0 0 0 0 0 1;
  2 3 0 0.1 0 0 0 0 0 0 1;
  1 3 0 0.2 0 0 0 0 0 0 1;
];
