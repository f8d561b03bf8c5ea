from lavamux import Lab, NotSeen, Refused, WrongUse

lab, bob = Lab(user="alice"), Lab(user="bob")
with lab.reserve(type="panda", minutes=10, reason="a test") as board:
    print("has", board.name, board.type, board.power.on())
    with board.console() as console:
        console.sendline("hello 42")
        match = console.expect([r"never", r"hello (\d+)"])
        assert (match.which, match.match.group(1)) == (1, "42"), match
        console.send("é")
        console.expect("é")
        try:
            console.expect("never", timeout=0.1)
        except NotSeen as error:
            print(error)
    try:
        bob.board(board.name).power.off()
    except Refused as error:
        print("refused:", str(error).split(" since")[0])
    waits = bob.submit("name=" + board.name, minutes=5)
    print("waits:", waits.position, board.name in waits.why)
    try:
        # Longer than the server's signs of life are apart.
        bob.reserve("name=" + board.name, timeout=5.5)
    except TimeoutError:
        print("called back")
with waits.wait(timeout=60) as board:
    print("now", board.info["lease"]["holder"])
with lab.reserve(specs=["name=panda01", "name=panda02"]) as boards:
    print("both", *[board.name for board in boards])
try:
    lab.submit("ram>=much")
except WrongUse as error:
    print("wrong:", error)
try:
    lab.reserve("nosuch")
except WrongUse as error:
    print("never:", str(error).split(": ")[1])
print("free", "lease" not in lab.board("panda01").info)
