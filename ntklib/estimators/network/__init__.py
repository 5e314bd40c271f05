"""Networks of finite width as estimators."""
