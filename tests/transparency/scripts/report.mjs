// Loaded before each section of node.sh: the modules that all of them use, and a way to tell what was seen.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const plain = (_, value) => (value instanceof Map ? [...value] : value)

Object.assign(globalThis, { fs, os, path, report: (...values) => console.log(JSON.stringify(values, plain)) })
