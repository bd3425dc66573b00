"""Estimation, kinematics and networks: Kalman filter, arm, power flow, portfolio."""
