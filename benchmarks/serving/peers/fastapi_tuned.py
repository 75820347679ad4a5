"""FastAPI tuned: a process per core, uvloop, httptools, fast JSON, the work in one thread beside the loop."""

import asyncio
import base64
import os
from concurrent.futures import ThreadPoolExecutor

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from work import Work

app = FastAPI()
work = Work(threads=1)
beside = ThreadPoolExecutor(1)


@app.post("/json")
async def from_json(request: Request) -> Response:
    body = await request.body()
    return await asyncio.get_running_loop().run_in_executor(beside, _answer_json, body)


@app.post("/raw")
async def raw(request: Request) -> Response:
    body = await request.body()
    return await asyncio.get_running_loop().run_in_executor(beside, _answer, body)


def _answer_json(body: bytes) -> Response:
    return _answer(base64.b64decode(orjson.loads(body)["image"]))


def _answer(image: bytes) -> Response:
    return Response(orjson.dumps(work.one(image)), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        "fastapi_tuned:app",
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        workers=os.cpu_count(),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
