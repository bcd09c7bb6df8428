FROM localhost/base
MAINTAINER Some One <some@one.example>
LABEL a=1 a=2 b=
