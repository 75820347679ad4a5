"""FastAPI as its first pages teach it: a model of the body, a plain function, one process."""

import base64
import os

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from work import Work


class Question(BaseModel):
    image: str


app = FastAPI()
work = Work()


@app.post("/json")
def from_json(question: Question) -> dict[str, float]:
    return work.one(base64.b64decode(question.image))


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning")
