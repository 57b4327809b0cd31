"""The guided tour: on call for one night, against stand-ins, with the real commands and a clock that runs."""
