"""200 processes in sessions of their own, each of which again and again forks a successor and ends. This one returns 5."""
import os, time

alive = os.open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "sub/alive"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
reader, writer = os.pipe()
for _ in range(200):
    if os.fork() == 0:
        os.setsid()
        os.close(writer)
        os.read(reader, 1)
        while True:
            os.write(alive, b".")
            if os.fork() != 0:
                os._exit(0)
os.close(writer)
time.sleep(0.5)
os.write(1, b"armed\n")
os._exit(5)
