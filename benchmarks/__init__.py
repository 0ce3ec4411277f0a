"""What minigrad costs beside other frameworks: `python -m benchmarks --help`.

`workloads/` holds one script per workload, `measure` runs one of them in a process of its own, `runner` starts those
processes and compares their results, `report` shows them. `scaling` measures the compiler instead of the programs;
`tape_overhead`, `tracer_overhead` and `session_gradients` take apart what a front-end costs, each run as it stands.
The peers (JAX, PyTorch) are optional and may live in an interpreter of their own, which needs NumPy besides.
"""
