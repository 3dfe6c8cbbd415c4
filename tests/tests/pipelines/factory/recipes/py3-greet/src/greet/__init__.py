"""Greets."""


def greeting():
    return "it's good"


def main():
    print(greeting())
