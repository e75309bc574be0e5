"""The dashboard: what does a person look at?"""
